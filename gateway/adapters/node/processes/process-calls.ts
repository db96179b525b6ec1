import { withTimeout } from '../../../../shared/lib/with-timeout.ts'

/** One end of the channel between the supervisor and a process. */
interface Channel {
  send: (message: Message) => void
  on: (event: 'message', listener: (message: unknown) => void) => unknown
}

export type Message =
  | { id: number; question: string }
  | { id: number; answer: unknown }
  | { id: number; failure: string }

/** The answers of one end, by the names of the questions. */
export type Answers = Readonly<Record<string, () => Promise<unknown>>>

/** Longest wait for an answer. */
export const answerMs = 1000

const isMessage = (message: unknown): message is Message =>
  typeof message === 'object' && message !== null && 'id' in message

/**
 * Questions and answers over a channel. A message that cannot be sent is a question without an
 * answer: the other end has gone.
 */
export function createCalls(channel: Channel) {
  const pending = new Map<number, PromiseWithResolvers<unknown>>()
  let answers: Answers = {}
  let lastId = 0

  async function answer(id: number, question: string): Promise<void> {
    try {
      channel.send({ id, answer: await answers[question]?.() })
    } catch (error) {
      channel.send({ id, failure: (error as Error).message })
    }
  }

  channel.on('message', (message) => {
    if (!isMessage(message)) return
    if ('question' in message) void answer(message.id, message.question)
    else if ('answer' in message) pending.get(message.id)?.resolve(message.answer)
    else pending.get(message.id)?.reject(new Error(message.failure))
  })

  return {
    /** Rejects where no answer comes in time, or where finding one failed. */
    async ask<Answer>(question: string, timeoutMs = answerMs): Promise<Answer> {
      const id = ++lastId
      const reply = Promise.withResolvers<unknown>()
      pending.set(id, reply)
      channel.send({ id, question })
      try {
        return (await withTimeout(timeoutMs, reply.promise)) as Answer
      } finally {
        pending.delete(id)
      }
    },

    answerWith(given: Answers): void {
      answers = given
    },
  }
}

export type Calls = ReturnType<typeof createCalls>
