package main

import (
	"regexp"
	"strings"
)

// service reads what the server says of itself: the OpenAPI document and the docs page with all that it loads.
func (w *walk) service() {
	t, visitor := w.t, w.visitor
	for _, path := range []string{"/healthz", "/readyz"} {
		visitor.get(path).want(200)
	}
	for _, code := range visitor.get("/problems").column("code") {
		if got := visitor.get("/problems/" + code).want(200); got.text("code") != code {
			t.Errorf("problem %s: %s", code, got.body)
		}
	}
	if document := visitor.get("/openapi.json").want(200).body; document != try(t, nil, "openapi").stdout {
		t.Error("the document isn't the one that docket openapi prints")
	}
	page := visitor.get("/docs").want(200)
	loaded := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.body, -1)
	if len(loaded) < 3 {
		t.Errorf("the docs page loads %v", loaded)
	}
	for _, match := range loaded {
		if strings.Contains(match[1], "//") {
			t.Errorf("the docs page loads %s from elsewhere", match[1])
			continue
		}
		visitor.get("/" + match[1]).want(200)
	}
}
