package bill

import (
	"fmt"

	"github.com/alecthomas/participle/v2/lexer"
)

// errorAt is an error at a position of the text. What it quotes from the text
// may be long; the message is not.
func errorAt(pos lexer.Position, format string, args ...any) error {
	const most = 1000
	msg := fmt.Sprintf(format, args...)
	if len(msg) > most {
		msg = msg[:most] + "..."
	}
	return fmt.Errorf("%s:%d:%d: %s", pos.Filename, pos.Line, pos.Column, msg)
}
