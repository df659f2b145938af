// Package apitest holds what was sent to the API and what it answered against
// the OpenAPI document that it publishes.
//
//	d, err := apitest.Read(text)
//	…
//	for _, wrong := range d.Disagreements(apitest.Exchange{Request: req, …}) {
//		t.Error(wrong)
//	}
//	for _, operation := range d.Unanswered() { … } // none called it
//
// Schemas, statuses, media types and parameters are the business of
// libopenapi-validator. What it leaves open is added: every documented header is
// there, a problem's code is one that the operation names, no object has
// a member twice, a 204 has no body, and each line of NDJSON fits on its own.
package apitest
