package docs_test

import (
	"regexp"
	"slices"
)

// rule is an exception: a command that is not run, or not as it stands. Without one
// a command is run as pasted and must end with exit code 0.
type rule struct {
	when, unless string // expressions that a command does and does not match
	find         string // what is found is replaced before the command is run
	replace      string
	exit         int  // an exit code that is right beside 0
	skip         bool // it is not run
	why          string
}

// rules holds every exception; all that apply do, in this order.
var rules = []rule{
	{when: `\[-|\bPASS\b|\bverify a b\b`, skip: true, why: "a synopsis: parts in brackets or capitals are to be filled in"},
	{when: `^\(x/255`, skip: true, why: "a formula"},
	{when: `^\./make\.sh`, skip: true, why: "trains for an hour"},

	{when: `^go test `, find: `\./\.\.\.`, replace: `./internal/suggest`, why: "this is one of all tests"},

	// Training: a hundredth of the steps, on few clips.
	{when: `billc train`, find: `steps=(\d+)\d\d\b`, replace: `steps=$1`, why: "minutes"},
	{when: `billc train`, find: `--stages float,activations,all$`, replace: `--stages 'float{steps=2}, activations{steps=2}, all{steps=2}'`, why: "the stages' own steps are hours"},
	{when: `billc train`, unless: `--stages|--describe`, find: `billc train (\S+)`, replace: `billc train $1 --stages 'float{steps=2}, all{steps=2}'`, why: "the default stages are an hour"},
	{when: `billc (train|eval)`, find: `gestures\{`, replace: `gestures{val=16,test=16,`, why: "thousands of clips"},
	{when: `billc train`, unless: `--data`, find: `billc train (\S+)`, replace: `billc train $1 --data 'gestures{val=16,test=16}'`, why: "thousands of clips"},
	{when: `billc eval`, find: `--clips \d+`, replace: `--clips 8`, why: "thousands of clips"},
	{when: `billc clips`, find: `--clips 32`, replace: `--clips 4`, why: "what follows takes a minute"},
	{when: `--verify=4`, find: `--verify=4`, replace: `--verify=1`, why: "every pass is evaluated on each input"},
	{when: `billc train.*--timeout`, exit: 124, why: "the time may be over before the training is"},

	// model.onnx is a model of the reader's, so it is what the sentence says.
	{when: `--dim time=16`, find: `\bmodel\.onnx`, replace: `open.onnx`, why: "the model has an open dimension"},
	{when: `--(mean|scale)=`, find: `\bmodel\.(onnx|billb)`, replace: `plain.$1`, why: "the model takes floats and normalizes nothing"},
	{when: `--input x=@x\.npy`, find: `\bmodel\.billb`, replace: `two.billb`, why: "the model has two inputs"},
}

// applied returns the command to run in place of a document's, the exit codes that
// are right, and for one that is not run the reason.
func applied(command string) (run string, exits []int, skip string) {
	run, exits = command, []int{0}
	for _, r := range rules {
		switch {
		case !match(r.when, command) || r.unless != "" && match(r.unless, command):
		case r.skip:
			return "", nil, r.why
		case r.exit != 0:
			exits = append(exits, r.exit)
		default:
			run = regexp.MustCompile(r.find).ReplaceAllString(run, r.replace)
		}
	}
	return run, slices.Compact(exits), ""
}

func match(expr, s string) bool { return regexp.MustCompile(expr).MatchString(s) }
