# The HTTP service, `sdt serve`, on CPUs. See docs/serving.md.
ARG PYTHON=3.11-slim-bookworm

FROM python:${PYTHON} AS build
# Models without ONNX graphs also need the extra train, with PyTorch.
ARG EXTRAS=serve,media,speech
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
RUN python -m venv --without-pip /opt/sdt
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY recipes recipes
COPY src src
RUN pip --python /opt/sdt/bin/python install --constraint constraints.txt ".[${EXTRAS}]"

FROM python:${PYTHON}
RUN useradd --system --uid 10001 --no-create-home --home-dir /tmp --shell /usr/sbin/nologin sdt
COPY --from=build /opt/sdt /opt/sdt
# Nothing is downloaded at run time; custom models are mounted. On shared cores, spinning OpenMP threads slow down other
# processes.
ENV PATH=/opt/sdt/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 HOME=/tmp HF_HUB_OFFLINE=1 \
    OMP_WAIT_POLICY=PASSIVE GOMP_SPINCOUNT=0
USER 10001:10001
WORKDIR /tmp
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=5)"]
ENTRYPOINT ["sdt"]
CMD ["serve", "--host", "0.0.0.0"]
