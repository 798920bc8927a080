/** The one method of row `grpc`, and the framing of a message: a flag and a length. */
export const GRPC_METHOD_PATH = '/bench.Echo/Unary'
export const GRPC_PREFIX_BYTES = 5
