/**
 * Children of a test are the product's processes: they start as a user would start them, without the loader that
 * the test runner puts into NODE_OPTIONS of everything spawned (it is for coverage, which is off).
 */
import processOnSpawn from 'process-on-spawn'

processOnSpawn.removeAllListeners()
