// Command sydradb serves SydraDB databases, and ingests into, queries, inspects and checks
// them from the command line. "sydradb help" lists its commands.
package main

import (
	"os"

	"github.com/sydradb/sydradb/server/internal/cli"
	"github.com/sydradb/sydradb/server/internal/serve"
)

func main() { os.Exit(cli.Main(serve.Run)) }
