package keycard

import (
	"context"
	"os/exec"
	"syscall"
)

// shell gives cmd.exe the line as it is: it doesn't read the quotes that os/exec
// would add.
func shell(ctx context.Context, command string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "cmd.exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: `cmd.exe /S /C "` + command + `"`}
	return cmd
}
