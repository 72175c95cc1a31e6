package layerfs

import (
	"errors"
	"io/fs"
	"slices"
	"testing"
	"testing/fstest"
)

func TestLayers(t *testing.T) {
	base := fstest.MapFS{
		"a.txt":       {Data: []byte("base a")},
		"dir/b.txt":   {Data: []byte("base b")},
		"below/c.txt": {Data: []byte("base c")},
	}
	fsys, err := New(base, map[string][]byte{
		"dir/b.txt": []byte("new b"), "dir/d.txt": []byte("new d"), "over/e.txt": []byte("new e"), "f.txt": nil,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(fsys, "a.txt", "dir/b.txt", "below/c.txt", "dir/d.txt", "over/e.txt", "f.txt"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{"a.txt": "base a", "dir/b.txt": "new b", "dir/d.txt": "new d", "over/e.txt": "new e", "f.txt": ""} {
		if got, err := fs.ReadFile(fsys, name); err != nil || string(got) != want {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	entries, err := fs.ReadDir(fsys, ".")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if want := []string{"a.txt", "below", "dir", "f.txt", "over"}; !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	for _, name := range []string{"nothing", "dir/nothing", "../a.txt"} {
		if _, err := fs.ReadFile(fsys, name); err == nil {
			t.Errorf("%s is there", name)
		}
	}
	if _, err := fs.ReadDir(fsys, "nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that isn't there: %v", err)
	}
	if _, err := New(base, map[string][]byte{"../x": nil}); err == nil {
		t.Error("a path out of the folder is taken")
	}
}
