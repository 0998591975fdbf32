package onnx
import ("testing";"path/filepath";"fmt";"errors";"os";"strings")
func TestZZ2(t *testing.T){
 for _,s:=range []string{"onnx-node-tests","onnx-pytorch-tests/pytorch-converted","onnx-pytorch-tests/pytorch-operator","onnx-ort-tests"}{
 ds,_:=filepath.Glob("../../../shared/"+s+"/*")
 ok,un,bad:=0,0,0
 for _,d:=range ds{
  if !strings.Contains(d,os.Getenv("ZZ")){continue}
  err:=runCase(d)
  var u *UnsupportedError
  switch{case err==nil:ok++
  case errors.As(err,&u):un++; for _,it:=range u.Items{fmt.Println("UNS",filepath.Base(d),it.Op,it.Reason)}
  default:bad++;fmt.Println("BAD",filepath.Base(d),err)}
 }
 fmt.Println(s,ok,un,bad)}
}
