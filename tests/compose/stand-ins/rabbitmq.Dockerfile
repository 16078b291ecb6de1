FROM tracelab-stand-in/packages
RUN mkdir -p /etc/rabbitmq/conf.d /var/lib/rabbitmq /var/log/rabbitmq \
    && echo '[rabbitmq_management,rabbitmq_prometheus].' >/etc/rabbitmq/enabled_plugins \
    && chown -R rabbitmq:rabbitmq /etc/rabbitmq /var/lib/rabbitmq /var/log/rabbitmq
# Upstream's log goes to standard output too.
ENV RABBITMQ_LOGS=- HOME=/var/lib/rabbitmq PATH=/usr/lib/rabbitmq/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
VOLUME /var/lib/rabbitmq
# Upstream starts as root and becomes this user.
USER rabbitmq
CMD ["rabbitmq-server"]
EXPOSE 5672 15672 15692
LABEL tracelab.stand-in="rabbitmq"
