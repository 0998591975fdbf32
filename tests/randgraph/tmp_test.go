package randgraph
import ("testing";"fmt";"os"
"github.com/billnet/billnet/frontend/onnx"
"github.com/billnet/billnet/ir")
func TestTmp(t *testing.T){ m,_,err:=onnx.ImportFile(os.Getenv("F"),onnx.Options{}); if err!=nil{t.Fatal(err)}; s,_:=ir.Print(m,""); fmt.Println(s)}
