/**
 * Which programs are tools and not applications: the hook does nothing in them. What they start (npm start's server,
 * tsx's child) inherits NODE_OPTIONS and is an application again.
 */

/** Packages whose commands are tools, wherever they are installed. Not those that serve what they build: vite, webpack. */
const PACKAGES =
  /[\\/]node_modules[\\/](npm|npx|corepack|yarn|pnpm|typescript|tsx|esbuild|rollup|eslint|prettier|oxlint|oxfmt|nodemon|concurrently|node-gyp)[\\/]/
/** Commands by their own name: links in a folder of commands, which argv keeps as they were called. */
const COMMANDS = /[\\/](npm|npx|corepack|yarn|yarnpkg|pnpm|pnpx|tsc|tsx|esbuild|eslint|prettier|node-gyp)(\.[cm]?js)?$/

/** `script`: process.argv[1]; absent for `node -e`, `node -` and the REPL, which are applications. */
export function isTool(script: string | undefined): boolean {
  return script !== undefined && (PACKAGES.test(script) || COMMANDS.test(script))
}
