/** Target and size of a scenario where the command line names none. */
export interface Scenario {
  /**
   * `start`: npm start with its embedded defaults. `processes`: real PostgreSQL and Redis, gateways
   * behind a balancer.
   */
  against: 'start' | 'processes'
  users: number
  gateways: number
  /** Requests a second of the frontends; of `ramp`, at its top. */
  rate: number
  seconds: number
  /** Variables of Gatehouse over the environment's own. */
  environment?: Record<string, string>
  /** One gateway alone, and a generator beside k6: more load than k6 could make here. */
  isLean?: boolean
}

const usual = { against: 'processes', users: 10_000, gateways: 2, rate: 50, seconds: 60 } as const

/** Rows before branches: a scenario is a row here and a file of its name in scenarios/. */
export const scenarios: Record<string, Scenario> = {
  smoke: { ...usual, against: 'start' },
  frontend: { ...usual, rate: 200 },
  ramp: { ...usual, rate: 1500, seconds: 150 },
  soak: { ...usual, seconds: 600 },
  // Tabs at once, and guesses a second.
  'refresh-stampede': { ...usual, users: 1000, rate: 50 },
  'lockout-attack': { ...usual, users: 1000, rate: 2 },
  'redis-killed': usual,
  // A token's life decides how long the old key stays: the shortest there is, and clients that
  // refresh each minute.
  'key-rotation': {
    ...usual,
    users: 1000,
    seconds: 420,
    environment: { JWKS_CACHE_SECONDS: '5', ACCESS_TOKEN_SECONDS: '60', SERVICE_TOKEN_SECONDS: '60' },
  },
  'plan-downgrade': { ...usual, users: 5000 },
  'api-keys': { ...usual, users: 5000 },
  // Each gateway may take DRAIN_SECONDS to leave.
  'rolling-restart': { ...usual, seconds: 120 },
  // An address asks more often than in a default of 100 requests in 15 minutes.
  'hundred-thousand': {
    against: 'processes',
    users: 100_000,
    gateways: 1,
    rate: 10_000,
    seconds: 600,
    isLean: true,
    environment: { LIMIT_ADDRESS_REQUESTS: '1000000' },
  },
}
