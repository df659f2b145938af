package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
)

// service reads the OpenAPI document, and the docs page with everything that it loads.
func (w *walk) service() {
	t, anonymous := w.t, w.anonymous
	for _, path := range []string{"/healthz", "/readyz"} {
		anonymous.get(path).want(200)
	}
	for _, code := range anonymous.get("/problems").column("code") {
		if got := anonymous.get("/problems/" + code).want(200); got.text("code") != code {
			t.Errorf("problem %s: %s", code, got.body)
		}
	}
	var printed bytes.Buffer
	if err := json.Compact(&printed, []byte(try(t, nil, "openapi").stdout)); err != nil {
		t.Fatal(err)
	}
	if document := anonymous.get("/openapi.json").want(200).body; document != printed.String() {
		t.Error("the document isn't the one that docket openapi prints")
	}
	page := anonymous.get("/docs").want(200)
	loaded := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page.body, -1)
	if len(loaded) < 3 {
		t.Errorf("the docs page loads %v", loaded)
	}
	for _, match := range loaded {
		if strings.Contains(match[1], "//") {
			t.Errorf("the docs page loads %s from elsewhere", match[1])
			continue
		}
		anonymous.get("/" + match[1]).want(200)
	}
}
