package main

import (
	"bytes"
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
)

// The parts of CycloneDX 1.6 that a bill of materials of Go programs needs.
type (
	bom struct {
		Format       string       `json:"bomFormat"`
		SpecVersion  string       `json:"specVersion"`
		Version      int          `json:"version"`
		Metadata     metadata     `json:"metadata"`
		Components   []component  `json:"components"`
		Dependencies []dependency `json:"dependencies"`
	}
	metadata struct {
		Component component `json:"component"`
	}
	component struct {
		Type       string     `json:"type"`
		Ref        string     `json:"bom-ref"`
		Name       string     `json:"name"`
		Version    string     `json:"version"`
		PURL       string     `json:"purl,omitempty"`
		Hashes     []hash     `json:"hashes,omitempty"`
		Licenses   []license  `json:"licenses,omitempty"`
		Properties []property `json:"properties,omitempty"`
	}
	hash struct {
		Alg     string `json:"alg"`
		Content string `json:"content"`
	}
	license struct {
		Expression string `json:"expression"`
	}
	property struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	dependency struct {
		Ref       string   `json:"ref"`
		DependsOn []string `json:"dependsOn,omitempty"`
	}
)

// materials is the bill of materials of programs, from what the Go command wrote
// into them: for each of them, the modules that it links.
func materials(version string, built []entry) ([]byte, error) {
	root := component{Type: "application", Ref: modulePath, Name: modulePath, Version: version, PURL: "pkg:golang/" + modulePath + "@" + version, Licenses: []license{{"Apache-2.0"}}}
	b := bom{Format: "CycloneDX", SpecVersion: "1.6", Version: 1, Metadata: metadata{root}}
	all := dependency{Ref: modulePath}
	linked := map[string]component{}
	for _, e := range built {
		program, deps, err := describe(version, e)
		if err != nil {
			return nil, err
		}
		uses := dependency{Ref: program.Ref}
		for _, d := range deps {
			linked[d.Ref] = d
			uses.DependsOn = append(uses.DependsOn, d.Ref)
		}
		b.Components = append(b.Components, program)
		b.Dependencies = append(b.Dependencies, uses)
		all.DependsOn = append(all.DependsOn, program.Ref)
	}
	b.Dependencies = append([]dependency{all}, b.Dependencies...)
	for _, ref := range slices.Sorted(maps.Keys(linked)) {
		b.Components = append(b.Components, linked[ref])
		b.Dependencies = append(b.Dependencies, dependency{Ref: ref})
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	err := enc.Encode(b)
	return out.Bytes(), err
}

// describe returns a program as a component, and the modules that it links, the
// standard library first.
func describe(version string, e entry) (component, []component, error) {
	info, err := buildinfo.ReadFile(e.path)
	if err != nil {
		return component{}, nil, fmt.Errorf("%s: %w", e.path, err)
	}
	data, err := os.ReadFile(e.path)
	if err != nil {
		return component{}, nil, err
	}
	program := component{Type: "application", Ref: info.Path, Name: e.name, Version: version,
		Hashes: []hash{{"SHA-256", fmt.Sprintf("%x", sha256.Sum256(data))}}, Licenses: []license{{"Apache-2.0"}}}
	goVersion := info.GoVersion[len("go"):]
	deps := []component{library("std", goVersion, "")}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		deps = append(deps, library(m.Path, m.Version, m.Sum))
	}
	return program, deps, nil
}

// library is a module as a component; sum is its checksum as in go.sum.
func library(path, version, sum string) component {
	purl := "pkg:golang/" + path + "@" + version
	c := component{Type: "library", Ref: purl, Name: path, Version: version, PURL: purl}
	if sum != "" {
		c.Properties = []property{{"go:sum", sum}}
	}
	return c
}
