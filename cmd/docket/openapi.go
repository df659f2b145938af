package main

import (
	"docket/httpapi"
	"docket/httpapi/edge"

	"github.com/spf13/cobra"
)

// openAPICommand prints the OpenAPI document. It is hidden: users have /openapi.json, and
// this command writes the file of that name in the repository.
func (p *program) openAPICommand() *cobra.Command {
	return &cobra.Command{
		Use:    "openapi",
		Short:  "Print the OpenAPI document",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			// Nothing is served, so any keys do.
			key := make([]byte, minKey)
			server, err := httpapi.New(httpapi.Config{
				Keys: []edge.SigningKey{{ID: "none", Secret: key}}, MasterKey: key, Issuer: "docket", Version: apiVersion,
			})
			if err != nil {
				return err
			}
			document, err := server.OpenAPI()
			if err != nil {
				return err
			}
			_, err = p.stdout.Write(document)
			return err
		},
	}
}
