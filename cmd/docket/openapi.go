package main

import (
	"docket/httpapi"
	"docket/httpapi/edge"

	"github.com/spf13/cobra"
)

// openAPICommand prints the contract. It is hidden: a user has /openapi.json, and
// this is how the file of that name in the repository is made.
func (p *program) openAPICommand() *cobra.Command {
	return &cobra.Command{
		Use:    "openapi",
		Short:  "Print the OpenAPI document",
		Hidden: true,
		Args:   cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			// Nothing is served, so any keys will do.
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
