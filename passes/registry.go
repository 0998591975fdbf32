package passes

import (
	"maps"
	"slices"
	"strings"
)

// Preset is a pipeline that has a name of its own.
type Preset struct {
	Name, Doc string
	Passes    []*Pass // in order
}

// Steps returns the preset's passes with the defaults of their options.
func (p *Preset) Steps() []Step { return Steps(p.Passes...) }

// Registry holds the passes that the text of a pipeline can name, and presets of
// them. It may be read from many goroutines, but not while it changes.
type Registry struct {
	passes  map[string]*Pass
	presets []Preset
}

// NewRegistry returns a registry with presets and passes. The last preset is also
// called default. It panics when a name is taken.
func NewRegistry(presets []Preset, all ...*Pass) *Registry {
	r := &Registry{map[string]*Pass{}, presets}
	for _, p := range all {
		r.Register(p)
	}
	return r
}

// Register adds a pass; it panics when the name is taken.
func (r *Registry) Register(p *Pass) {
	if r.passes[p.Name] != nil || r.Preset(p.Name) != nil {
		panic("passes: " + p.Name + " is registered twice")
	}
	r.passes[p.Name] = p
}

// Lookup returns the pass with the given name, or nil.
func (r *Registry) Lookup(name string) *Pass { return r.passes[name] }

// All returns every pass sorted by name.
func (r *Registry) All() []*Pass {
	return slices.SortedFunc(maps.Values(r.passes), func(a, b *Pass) int { return strings.Compare(a.Name, b.Name) })
}

// Presets returns the presets, in the order in which the registry got them.
func (r *Registry) Presets() []Preset { return slices.Clone(r.presets) }

// defaultName stands for the last preset.
const defaultName = "default"

// Preset returns the preset that a name stands for, nil when there is none.
func (r *Registry) Preset(name string) *Preset {
	if name == defaultName && len(r.presets) > 0 {
		return &r.presets[len(r.presets)-1]
	}
	for i := range r.presets {
		if r.presets[i].Name == name {
			return &r.presets[i]
		}
	}
	return nil
}

// names lists what a text may name: passes and presets.
func (r *Registry) names() []string {
	var names []string
	for _, p := range r.All() {
		names = append(names, p.Name)
	}
	names = append(names, defaultName)
	for _, p := range r.presets {
		names = append(names, p.Name)
	}
	return names
}
