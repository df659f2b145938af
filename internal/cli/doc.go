// Package cli is what the commands of a terminal program share: signals, exit
// statuses, help, completion, tables, a progress bar and JSON lines.
//
// A program builds its commands with Cobra, hands the root to Setup and runs it
// with Run. Text for people goes to a Screen, which knows the width of the terminal
// and whether it shows colours; text for machines is one JSON object a line
// (WriteJSON). The package knows nothing of docket: no settings, no database.
package cli
