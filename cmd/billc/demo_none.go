//go:build nodemo

package main

import "errors"

// demoCmd has no model and no clips in programs that are built to be small.
type demoCmd struct {
	Columns int `default:"64" hidden:""`
}

func (c *demoCmd) Run() error {
	return errors.New("this billc was built without the demo (tag nodemo), which is in those of a release and of go install")
}
