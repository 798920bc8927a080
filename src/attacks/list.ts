/** All attacks, in the order of the table. */
import type { Attack } from './attack.ts'
import { FILES } from './files.ts'
import { LINKS } from './links.ts'
import { NETWORK } from './network.ts'
import { PROCESSES } from './processes.ts'
import { REQUESTS } from './requests.ts'
import { SOCKETS } from './sockets.ts'

export const ATTACKS: readonly Attack[] = [...REQUESTS, ...LINKS, ...SOCKETS, ...FILES, ...PROCESSES, ...NETWORK]
