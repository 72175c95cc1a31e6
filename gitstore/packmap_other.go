//go:build !unix

package gitstore

import "os"

// mapFile maps nothing: a mapped file can't be deleted on Windows, where git gc
// would then fail beside us.
func mapFile(*os.File, int64) (data []byte, ok bool) { return nil, false }

func unmapFile([]byte) error { return nil }
