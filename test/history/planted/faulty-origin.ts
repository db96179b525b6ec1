import { replaceModule } from './replace-module.ts'

/** An origin with two faults, which a drill has to find. Loaded before `origin/main.ts`. */
replaceModule('origin/sessions/queries.ts', 'test/history/planted/faulty-session-queries.ts')
replaceModule('origin/sessions/refresh-tokens.ts', 'test/history/planted/random-refresh-tokens.ts')
