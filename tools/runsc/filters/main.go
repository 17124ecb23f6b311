//go:build tools

// Command filters writes runsc's own filters of system calls into its source, compiled, as its makers' builds have them.
// Their sources in the Go module have a placeholder instead, and such a runsc compiles both at each of its starts.
//
//	filters GVISOR
//
// GVISOR is the folder of the module's source, which is changed. What compiles them is in that module, and all of it is
// what runsc would compile itself; a filter that is not among them it still does.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gvisor.dev/gvisor/pkg/seccomp/precompiledseccomp"
	sentry "gvisor.dev/gvisor/runsc/boot/filter/config"
	gofer "gvisor.dev/gvisor/runsc/fsgofer/filter/config"
)

const placeholder = "\tprograms := make(map[string]precompiledseccomp.Program)\n"

// Of the kernel's 576 programs those without the host's network and devices, which a sandbox is not given.
func needed(program precompiledseccomp.Program) bool {
	return !strings.Contains(program.Name, "HostNetwork=true") && !strings.Contains(program.Name, "Proxy=true")
}

func write(path string, compile func() ([]precompiledseccomp.Program, error)) error {
	programs, err := compile()
	if err != nil {
		return err
	}
	source, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, after, found := strings.Cut(string(source), placeholder)
	if !found || strings.Contains(after, placeholder) {
		return fmt.Errorf("%s has no place for filters", path)
	}
	text := before + placeholder
	for _, program := range programs {
		if needed(program) {
			text += program.Registration("\t", "precompiledseccomp", "programs")
		}
	}
	return os.WriteFile(path, []byte(text+after), 0o644)
}

func main() {
	for file, compile := range map[string]func() ([]precompiledseccomp.Program, error){
		"runsc/boot/filter/filter_precompiled.go":    sentry.PrecompiledPrograms,
		"runsc/fsgofer/filter/filter_precompiled.go": gofer.PrecompiledPrograms,
	} {
		if err := write(filepath.Join(os.Args[1], file), compile); err != nil {
			fmt.Fprintln(os.Stderr, "filters:", err)
			os.Exit(1)
		}
	}
}
