//go:build tools

// Package runsc names the command that tools/fetch_runsc builds, so that go.sum holds it and all that it needs.
package runsc

import _ "gvisor.dev/gvisor/runsc"
