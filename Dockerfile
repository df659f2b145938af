# syntax=docker/dockerfile:1
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .

RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w" -o /docket ./cmd/docket

# Nothing but the program, the certificates that outgoing TLS needs, and a user who isn't root.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /docket /docket
USER 65532:65532
EXPOSE 8000
ENV DOCKET_ADDR=0.0.0.0:8000 DOCKET_LOG_FORMAT=json
ENTRYPOINT ["/docket"]
CMD ["serve"]
