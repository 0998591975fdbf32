package onnx

import (
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/billnet/billnet/frontend/onnx/onnxpb"
)

const (
	// maxDepth bounds how deep messages nest. A graph inside an attribute of a
	// node of a graph takes three levels, so this allows some twenty nested
	// control-flow bodies.
	maxDepth = 64
	// maxMessages bounds the number of messages in one model. Each costs a few
	// hundred bytes once decoded and as little as two in the file.
	maxMessages = 1 << 20
)

// scan walks the wire format of a model without allocating for its content and
// without recursion, and refuses what would make decoding expensive: nesting
// deeper than maxDepth, more than maxMessages messages, lengths that run past
// the end of the enclosing message, and the long-dead group encoding.
func scan(data []byte) error {
	type level struct {
		end int // offset at which the message ends
		msg protoreflect.MessageDescriptor
	}
	stack := make([]level, 1, maxDepth)
	stack[0] = level{len(data), (*onnxpb.Model)(nil).ProtoReflect().Descriptor()}
	messages, pos := 0, 0
	for {
		top := stack[len(stack)-1]
		if pos == top.end {
			if len(stack) == 1 {
				return nil
			}
			stack = stack[:len(stack)-1]
			continue
		}
		num, typ, n := protowire.ConsumeTag(data[pos:top.end])
		if n < 0 {
			return wireError(pos, top.msg, n)
		}
		pos += n
		if typ == protowire.StartGroupType || typ == protowire.EndGroupType {
			return fmt.Errorf("byte %d, in a %s: protobuf groups are not part of ONNX", pos, top.msg.Name())
		}
		field := top.msg.Fields().ByNumber(num)
		if field == nil || field.Message() == nil || typ != protowire.BytesType {
			n := protowire.ConsumeFieldValue(num, typ, data[pos:top.end])
			if n < 0 {
				return wireError(pos, top.msg, n)
			}
			pos += n
			continue
		}
		size, n := protowire.ConsumeVarint(data[pos:top.end])
		if n < 0 {
			return wireError(pos, top.msg, n)
		}
		pos += n
		if size > uint64(top.end-pos) {
			return fmt.Errorf("byte %d: a %s of %d bytes in a %s with %d bytes left", pos, field.Message().Name(), size, top.msg.Name(), top.end-pos)
		}
		if messages++; messages > maxMessages {
			return fmt.Errorf("more than %d nodes, tensors and other records", maxMessages)
		}
		if len(stack) == maxDepth {
			return fmt.Errorf("byte %d: records nest deeper than %d levels", pos, maxDepth)
		}
		stack = append(stack, level{pos + int(size), field.Message()})
	}
}

func wireError(pos int, msg protoreflect.MessageDescriptor, code int) error {
	err := protowire.ParseError(code)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("byte %d, in a %s: the data ends in the middle of a field", pos, msg.Name())
	}
	return fmt.Errorf("byte %d, in a %s: not protobuf data", pos, msg.Name())
}
