from lib import *
import lib,uuid
lib.OUT=os.environ.get("OUT","recorded");os.makedirs(lib.OUT,exist_ok=True)
A=Svc("geo-worker");B=Svc("geo-worker");LA=threading.Lock();LB=threading.Lock()
def f(i):
    def w(s,L,n):
        with serve(s,"POST /fence"):
            with s.span("parse"): ms(2)
            with L:
                with s.span("update index"): ms(n)
    ts=[]
    for k in range(5):
        for s,L,n in((A,LA,40),(B,LB,47)):
            t=threading.Thread(target=w,args=(s,L,n));t.start();ts.append(t);ms(2)
    join(ts)
record("two-processes-a-mutex-each",f,["lock-wait"])
def f(i):
    def w(s,L,n):
        with serve(s,"POST /tile"):
            with s.span("parse"): ms(2)
            with L:
                with s.span("draw"): ms(n)
    ts=[]
    for k in range(6):
        t=threading.Thread(target=w,args=(A,SA,60));t.start();ts.append(t);ms(1)
    t=threading.Thread(target=w,args=(B,SB,50));t.start();ts.append(t)
    join(ts)
SA=threading.Semaphore(2);SB=threading.Semaphore(2)
record("two-processes-one-pool-saturated",f,["pool-wait"])
st={}
def fl(h): st["n"]=st.get("n",0)+1;ms(6);return 200 if st["n"]>=4 else 503
q=Svc("quota",{"GET /quota":fl});m=Svc("mail-merge")
def f(i):
    st.clear()
    with serve(m,"POST /merge"):
        for _ in range(4): m.call(q,"GET","/quota")
        with m.span("render template",attrs={"template":"welcome"}):
            ms(5);raise KeyError("first_name")
record("storm-that-works-then-other-error",f,["retry-storm","error"])
# healthy: 6 equal threads on a pool with room, in three bursts, ends coincide
def f(i):
    def w():
        with serve(m,"GET /zip"):
            with m.span("zip"): ms(70)
            with m.span("sign"): ms(2)
    for _ in range(2):
        ts=[threading.Thread(target=w) for _ in range(4)]
        for t in ts:t.start()
        join(ts);ms(5)
record("ok-equal-bursts",f)
# pool of 3, render spans not ending together, three lines
P3=threading.Semaphore(3)
def f(i):
    def w(k):
        with serve(m,"GET /pdf"):
            with m.span("lookup"): ms(2)
            with P3:
                with m.span("typeset"): ms(60+7*(k%4))
            with m.span("reply"): ms(2)
    ts=[threading.Thread(target=w,args=(k,)) for k in range(9)]
    for t in ts:t.start();ms(1)
    join(ts)
record("pool-of-three-uneven",f,["pool-wait"])
lib.finish();os._exit(0)
