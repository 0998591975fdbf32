package main

import (
	"fmt"
	"strings"

	"github.com/billnet/billnet/ir"
	"github.com/billnet/billnet/train"
	"github.com/billnet/billnet/train/recipe"
)

// unfinished says what is missing to a network whose training made some of its
// binary operations soft at the end: what is compiled computes them hard, and so
// is not what was trained. It is nil for all others.
func unfinished(m *ir.Module) error {
	soft := recipe.SoftRoles(m)
	if soft == nil {
		return nil
	}
	return withCode(exitUnsupported, "it is not trained to the end: the last stage left %s soft, and compiled they are hard; go on with a stage that trains them so (billc train MODEL --stages=all ...), or write text (--emit=ir)", rolesText(soft))
}

// untrained is the note on a module whose parameters are still random, "" for others.
func untrained(m *ir.Module) string {
	if m.Meta[ir.MetaUntrained] == "" {
		return ""
	}
	return "this is an untrained architecture: its parameters are random, and so is what it answers; billc train trains it"
}

// rolesText lists roles for people.
func rolesText(roles []train.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = fmt.Sprint(r)
	}
	return strings.Join(names, ", ")
}
