# Upstream's image holds its one program too, and nothing else.
FROM scratch
COPY otelcol /otelcol-contrib
USER 10001:10001
ENTRYPOINT ["/otelcol-contrib"]
CMD ["--config", "/etc/otelcol-contrib/config.yaml"]
EXPOSE 4317 4318
LABEL tracelab.stand-in="collector"
