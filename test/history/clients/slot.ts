import { type Client, type ClientOptions, createClient } from './client.ts'

export type Slot = ReturnType<typeof createSlot>

/** One client at a time, each with a new account. */
export function createSlot({
  number,
  random,
  ...options
}: Omit<ClientOptions, 'email'> & { number: number }) {
  const clients: Client[] = []
  return {
    /** Resolves when the drill is over. */
    async run(): Promise<void> {
      while (!options.isOver()) {
        const email = `client-${number}-${clients.length}@example.com`
        const client = createClient({ ...options, email, random: random.fork() })
        clients.push(client)
        await client.run()
      }
    },
    /** Calls the function for each client that the slot had, one after the other. */
    async visitAll(visit: (client: Client) => Promise<unknown>): Promise<void> {
      for (const client of clients) await visit(client)
    },
  }
}
