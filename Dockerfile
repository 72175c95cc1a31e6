# syntax=docker/dockerfile:1
# The Action's image: one static binary, CA certificates, a folder for temporary
# files. scripts/rootfs makes the root file system, here and, without Docker, in
# scripts/image. No USER and no WORKDIR: the runner wants root and sets the folder.
ARG GO_VERSION=1.26
FROM --platform=$BUILDPLATFORM golang:${GO_VERSION} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG TARGETOS=linux TARGETARCH VERSION
RUN GOOS="$TARGETOS" GOARCH="${TARGETARCH:-$(go env GOARCH)}" scripts/rootfs /rootfs "$VERSION"

FROM scratch
COPY --from=build /rootfs/ /
ENTRYPOINT ["/policypin", "action"]
