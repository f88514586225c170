package cli

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is what a build without a module version calls itself.
const version = "0.1.0-dev"

func (a *App) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Show the version of the program",
		Example: `  $ sydradb version
  sydradb ...`,
		Args: takes("no arguments", 0, 0),
		RunE: func(*cobra.Command, []string) error {
			return printTo(a.Out, "%s", versionLine())
		},
	}
}

// builtVersion returns the version of the module that the program was built from.
func builtVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return version
}

func versionLine() string {
	return fmt.Sprintf("sydradb %s, %s, %s/%s\n", builtVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
