FROM tracelab-stand-in/packages
COPY jaeger /cmd/jaeger/jaeger-linux
ENV JAEGER_LISTEN_HOST=0.0.0.0
VOLUME /tmp
USER 10001
ENTRYPOINT ["/cmd/jaeger/jaeger-linux"]
EXPOSE 4317 4318 16686 13133
LABEL tracelab.stand-in="jaeger"
