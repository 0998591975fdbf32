package c

import (
	"path"
	"strings"
)

// Layouts are the build systems for which a folder can be made, in place of CMake's.
func Layouts() []string { return []string{"arduino", "zephyr", "esp-idf"} }

// file is a file of the output: its path, in which NAME is the network's, and its template.
type file struct{ path, template string }

// outputFiles are the files of a layout, but for the weights. sources is the folder of C files.
func outputFiles(layout string) (sources string, list []file) {
	header, code, test := file{"NAME.h", "header.h.tmpl"}, file{"NAME.c", "source.c.tmpl"}, file{"NAME_selftest.c", "selftest.c.tmpl"}
	switch layout {
	case "arduino":
		header.path, code.path, test.path = "src/NAME.h", "src/NAME.c", "extras/NAME_selftest.c" // src is compiled altogether
		return "src", []file{header, code, test,
			{"library.properties", "layouts/arduino/library.properties.tmpl"},
			{"examples/NAME/NAME.ino", "layouts/arduino/example.ino.tmpl"},
		}
	case "zephyr":
		return "", []file{header, code, test,
			{"zephyr/module.yml", "layouts/zephyr/module.yml.tmpl"},
			{"zephyr/CMakeLists.txt", "layouts/zephyr/CMakeLists.txt.tmpl"},
			{"zephyr/Kconfig", "layouts/zephyr/Kconfig.tmpl"},
			{"samples/NAME/CMakeLists.txt", "layouts/zephyr/app.cmake.tmpl"},
			{"samples/NAME/prj.conf", "layouts/zephyr/prj.conf.tmpl"},
			{"samples/NAME/src/main.c", "layouts/zephyr/main.c.tmpl"},
		}
	case "esp-idf":
		return "", []file{header, code, test,
			{"CMakeLists.txt", "layouts/esp-idf/CMakeLists.txt.tmpl"},
			{"Kconfig", "layouts/esp-idf/Kconfig.tmpl"},
			{"idf_component.yml", "layouts/esp-idf/idf_component.yml.tmpl"},
			{"examples/NAME/CMakeLists.txt", "layouts/esp-idf/project.cmake.tmpl"},
			{"examples/NAME/main/CMakeLists.txt", "layouts/esp-idf/main.cmake.tmpl"},
			{"examples/NAME/main/main.c", "layouts/esp-idf/main.c.tmpl"},
		}
	}
	return "", []file{header, code, test, {"CMakeLists.txt", "CMakeLists.txt.tmpl"}}
}

// named puts the network's name into a path.
func named(p, name string) string { return path.Clean(strings.ReplaceAll(p, "NAME", name)) }
