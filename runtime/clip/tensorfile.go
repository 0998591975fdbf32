package clip

import (
	"fmt"
	"strings"
	"unicode"
)

// TensorFiles are the names of the .npy files that hold tensors of the given
// names, of one folder: different names get different files, also where
// the file system does not tell cases apart.
func TensorFiles(names []string) []string {
	files := make([]string, len(names))
	used := map[string]bool{}
	for i, n := range names {
		base := fileName(n)
		name := base
		for k := 2; used[strings.ToLower(name)]; k++ {
			name = fmt.Sprintf("%s_%d", base, k)
		}
		used[strings.ToLower(name)] = true
		files[i] = name + ".npy"
	}
	return files
}

// fileName turns a tensor's name into a file name: letters and digits of all
// scripts, "-", "_" and "." stay, everything else and a leading "." become "_".
func fileName(name string) string {
	s := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) || r == '-' || r == '_' || r == '.' {
			return r
		}
		return '_'
	}, name)
	if len(s) > 100 {
		s = strings.ToValidUTF8(s[:100], "")
	}
	if strings.HasPrefix(s, ".") {
		s = "_" + s[1:]
	}
	if s == "" {
		s = "output"
	}
	return s
}
