FROM tracelab-stand-in/packages
COPY mailpit /mailpit
ENTRYPOINT ["/mailpit"]
EXPOSE 1025 8025
LABEL tracelab.stand-in="mailpit"
