package main

import (
	"docket/httpapi"

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
			// Nothing is served, so any key does.
			server, err := httpapi.New(httpapi.Config{MasterKey: make([]byte, minKey), Version: apiVersion})
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
