// Command sydradb ingests, queries, inspects and checks SydraDB databases from the
// command line. "sydradb help" lists its commands.
package main

import (
	"os"

	"github.com/sydradb/sydradb/server/internal/cli"
)

func main() { os.Exit(cli.Main()) }
