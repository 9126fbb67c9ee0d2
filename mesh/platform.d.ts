/** Such as `linux-x64` (glibc), `linux-x64-musl`, `darwin-arm64`. */
export function platformFolder(): string;
