package onnx
import ("testing";"path/filepath";"strings";"fmt";"time";"os";"context";"github.com/billnet/billnet/ir")
func TestZZ(t *testing.T){
 fs,_:=filepath.Glob("../../../shared/models/*/*.onnx")
 for _,p:=range fs{
  if !strings.Contains(p,os.Getenv("ZZ")){continue}
  base:=strings.TrimSuffix(p,".onnx")
  opt:=Options{}
  if strings.Contains(p,"a_float_dynT_op13"){opt.Dims=map[string]int{"time":16}}
  if strings.Contains(p,"t2_a_float_dynT"){opt.Dims=map[string]int{"4*t4":16}}
  m,_,err:=ImportFile(p,opt)
  if err!=nil {continue}
  var in []*ir.Tensor; var want *ir.Tensor
  dir:=filepath.Dir(p)
  if _,err:=os.Stat(base+".clips.u8.npy");err==nil{
    in=append(in,item(readNpy(t,base+".clips.u8.npy"),0)); want=item(readNpy(t,base+".logits.npy"),0)
  } else if strings.Contains(p,"models/torch/"){
    f:="input_ncthw.npy"; if strings.Contains(p,"c_td_"){f="input_ntchw.npy"}; if strings.Contains(p,"manlstm"){f="input_manlstm.npy"}
    in=append(in,readNpy(t,dir+"/"+f)); if strings.Contains(p,"muxin"){in=append(in,readNpy(t,dir+"/input_muxin_sel.npy"))}
    want=readNpy(t,base+".expected.npy")
  } else if strings.Contains(p,"billnet_trained"){
    in=append(in,item(readNpy(t,dir+"/billnet_trained.clips.u8.npy"),0)); want=item(readNpy(t,dir+"/billnet_trained.logits.npy"),0)
  } else {
    for _,suf:=range []string{"_qonnx_op13","_qcdq_op13","_op13","_op17"}{base=strings.TrimSuffix(base,suf)}
    if strings.Contains(p,"torch2"){base=strings.TrimSuffix(p,".onnx")}
    for i:=0;;i++{ f:=fmt.Sprintf("%s.input_%d.npy",base,i); if _,err:=os.Stat(f);err!=nil{break}; in=append(in,readNpy(t,f)) }
    if in==nil {fmt.Println(p,"no inputs");continue}
    want=readNpy(t,base+".expected.npy")
  }
  t0:=time.Now()
  out,err:=ir.Eval(context.Background(),m.Main(),in,nil)
  if err!=nil{fmt.Println(p,"EVAL",err);continue}
  fmt.Println(p,time.Since(t0).Milliseconds(),"ms diff",maxDiff(out[0],want))
 }
}
