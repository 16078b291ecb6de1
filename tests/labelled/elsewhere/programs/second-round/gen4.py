from lib import *
import lib,uuid
lib.OUT=os.environ.get("OUT","recorded");os.makedirs(lib.OUT,exist_ok=True)
def msg(op,dest,mid,**k):
    return {"messaging.system":"rabbitmq","messaging.destination.name":dest,"messaging.operation.type":op,"messaging.message.id":mid,**k}
a=Svc("etl")
def f(i):
    with a.span("nightly etl",context=C.Context()):
        ev=threading.Event()
        def dl():
            with a.span("download"): ms(110)
            ev.set()
        def use():
            with a.span("load file"):
                with a.span("open target"): ms(6)
                ev.wait()
                with a.span("copy"): ms(20)
        ts=par([use]);ms(7);ts+=par([dl]);join(ts)
record("ok-stage-waits-for-another",f)
b=Svc("burst-api")
def f(i):
    def w():
        with serve(b,"GET /equal"):
            with b.span("decode"): ms(2)
            with b.span("compute"): ms(90)
            with b.span("write"): ms(2)
    ts=[threading.Thread(target=w) for _ in range(6)]
    for t in ts:t.start();ms(.8)
    join(ts)
record("ok-burst-of-equal-work",f)
p=Svc("orders-pub");s1=Svc("audit-sub");s2=Svc("notify-sub")
def f(i):
    mid=str(uuid.uuid4());h={}
    with serve(p,"POST /things"):
        with p.span("things send",K.PRODUCER,msg("send","things",mid)): ms(1);P.inject(h)
    for s in (s1,s2):
        with s.span("things process",K.CONSUMER,msg("process","things",mid),context=P.extract(h)):
            with s.span("handle"): ms(9)
record("ok-two-subscribers",f)
def f(i):
    mid=str(uuid.uuid4());h={}
    with serve(p,"POST /things"):
        with p.span("things send",K.PRODUCER,msg("send","things",mid)): ms(1);P.inject(h)
    for g in ("audit","search"):
        with s1.span("things process",K.CONSUMER,msg("process","things",mid,**{"messaging.consumer.group.name":g}),context=P.extract(h)):
            with s1.span("handle"): ms(9)
record("ok-two-consumer-groups-in-one-service",f)
# 202 then goes on in the server span
acc=Svc("accept-api");back=Svc("backend")
def f(i):
    h={};done=threading.Event()
    def srv():
        with back.t.start_as_current_span("POST /work",context=P.extract(h),kind=K.SERVER,attributes={"http.request.method":"POST","http.route":"/work","http.response.status_code":202}):
            ms(6);done.set();ms(60)
    with serve(acc,"POST /submit"):
        with acc.span("POST",K.CLIENT,{"http.request.method":"POST","url.full":"http://backend/work","server.address":"backend","http.response.status_code":202}):
            P.inject(h);t=threading.Thread(target=srv);t.start();done.wait()
        ms(2)
    t.join()
record("ok-accepted-and-goes-on",f)
u=Svc("users-db-api",{"GET /u/{id}":lambda h:(ms(6),404)[1]})
def f(i):
    with serve(acc,"GET /find-or-default"): acc.call(u,"GET","/u/9");ms(3)
record("ok-client-404-handled",f)
st={}
def poll(h): st["n"]=st.get("n",0)+1;ms(5);return 200 if st["n"]>=6 else 202
j=Svc("job-api",{"GET /jobs/{id}":poll})
def f(i):
    st.clear()
    with serve(acc,"POST /run-and-wait"):
        while acc.call(j,"GET","/jobs/7",tmpl="/jobs/{id}")!=200: ms(100)
record("ok-polls-until-done",f)
ms_=[Svc(f"mirror-{k}",{"GET /pkg":(lambda h:(ms(9),503)[1]) if k<3 else (lambda h:ms(9))}) for k in range(4)]
def f(i):
    with serve(acc,"GET /pkg"):
        for m in ms_:
            if acc.call(m,"GET","/pkg")==200:break
record("ok-mirrors-in-turn",f)
S=Svc("vault-user")
def sec(name,attrs,ev=None):
    def f(i):
        with serve(S,"POST /s"):
            with S.span("step",attrs=attrs) as sp:
                ms(2)
                if ev: sp.record_exception(ev)
    record(name,f,["leaked-secret"],n=1)
sec("secret-update-set-password",{"db.system.name":"postgresql","db.query.text":"UPDATE users SET password = 'Tr0ub4dor&3' WHERE id = 7"})
sec("secret-url-userinfo",{"url.full":"https://deploy:s3cr3t-Pa55@git.example/r.git"})
sec("secret-basic-header",{"http.request.header.authorization":["Basic ZGVwbG95OnMzY3IzdC1QYTU1"]})
sec("secret-aws-key",{"config.dump":"region=eu-west-1 AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzzzzzKEY"})
sec("secret-bare-jwt",{"session":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"})
sec("secret-in-exception",{"x":1},ValueError("login failed for dsn postgres://app:Winter2024!x@db/main"))
sec("secret-command-args",{"process.command_args":["mysql","-uroot","--password=Gh7!kd93kd"]})
sec("secret-cookie",{"http.request.header.cookie":["session=f3a9c1e77b204d5c9a1b6e0d2f4c8b7a; theme=dark"]})
def f(i):
    with serve(acc,"GET /calm",order__ref="4532-not-a-card",phone="+49 4111 111111111",iban__masked="DE** **** 1234",ean="4006381333931",build="20240611123456789",note="password changed",url__full="https://x.example/reset?token_hint=none&keyboard=qwertz",api__key__id="key-17",tokens=812,idempotency__key=str(uuid.uuid4()),session__count=4,imei="490154203237518"): ms(2)
record("ok-more-look-alikes",f)
lib.finish();os._exit(0)
