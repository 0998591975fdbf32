package runner

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// file is a file to write.
type file struct{ name, data string }

// writeFiles writes files into a folder. All are written under temporary names
// first and renamed when nothing failed, so that a failure leaves the files
// that were there. It returns the paths.
func writeFiles(dir string, files []file) ([]string, error) {
	var temps, paths []string
	defer func() {
		for _, t := range temps {
			os.Remove(t) // those that were renamed are gone
		}
	}()
	for _, f := range files {
		path := filepath.Join(dir, f.name)
		if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
			return nil, errorf("%s is there and is no regular file", path)
		}
		temp := filepath.Join(dir, fmt.Sprintf(".%s.%08x.tmp", f.name, rand.Uint32()))
		if err := writeNew(temp, f.data); err != nil {
			os.Remove(temp)
			return nil, err
		}
		temps, paths = append(temps, temp), append(paths, path)
	}
	for i := range files {
		if err := os.Rename(temps[i], paths[i]); err != nil {
			return nil, err
		}
	}
	return paths, nil
}

func writeNew(path, data string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
	if err != nil {
		return err
	}
	_, err = f.WriteString(data)
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
