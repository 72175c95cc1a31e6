package manifest

import (
	"io/fs"

	"github.com/policypin/policypin/diag"
)

// LoadProject reads the project file alone, as [Load] does: the project is nil
// only if the file is unusable.
func LoadProject(fsys fs.FS) (*Project, diag.List, error) {
	l := newLoader(fsys)
	if err := l.readProject(); err != nil {
		return nil, nil, err
	}
	return l.tree.Project, l.sorted(), nil
}
