import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Dispatcher } from 'undici'
import type { Admission } from '../../admission.ts'
import { answerFields } from '../../answer-fields.ts'
import { TransportError } from '../../ports.ts'
import { noBody, type RequestBody, readRequestBody, tooLarge } from '../../request-body.ts'
import type { RequestFields } from '../../request-fields.ts'

export interface CarriageOptions {
  request: IncomingMessage
  response: ServerResponse
  fields: RequestFields
  admission: Admission
  dispatcher: Dispatcher
  /** The fields that every answer has, names and values in turn. */
  commonFields: () => readonly string[]
  /** Told of the answer: the seconds from the request upstream to the head of it. */
  onAnswered: (upstream: string, seconds: number) => void
  /** Told once where no answer of an upstream's has begun. */
  refuse: (error: unknown) => void
}

/** Safe to ask again: nothing was changed by the first time (RFC 9110, section 9.2.1), and it had no body. */
const isRepeatable = (method: string | undefined) => method === 'GET' || method === 'HEAD'

const isBodiless = isRepeatable

/**
 * Carries one request upstream and its answer back, streaming both ways without web streams in between. Where it ends early, the other side hears: a
 * client that leaves cancels the request upstream, an upstream that breaks off shows to the client as a broken answer.
 */
export function carry(options: CarriageOptions): void {
  const { request, fields, admission } = options
  const { route } = admission.decision
  const hasBody =
    !isBodiless(request.method) && (fields.transferEncoding !== undefined || (fields.contentLength ?? 0) > 0)
  if (!hasBody) {
    new Carriage(options, noBody).start()
    return
  }
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterable<Uint8Array>
  readRequestBody(chunks, route).then((body) => new Carriage(options, body).start(), options.refuse)
}

class Carriage implements Dispatcher.DispatchHandler {
  private readonly options: CarriageOptions
  private readonly requestBody: RequestBody
  private controller: Dispatcher.DispatchController | undefined
  private deadline: ReturnType<typeof setTimeout> | undefined
  private isLate = false
  /** As `performance.now()` has it. */
  private sentAt = 0
  private isRefused = false
  private isSecondTry = false
  /** Bytes of the answer's body that are still to come, where its head says so. */
  private expectedBytes = Number.NaN

  constructor(options: CarriageOptions, requestBody: RequestBody) {
    this.options = options
    this.requestBody = requestBody
  }

  start(): void {
    const { response, admission } = this.options
    if (response.closed) return
    this.deadline = setTimeout(this.beLate, admission.decision.route.deadline_seconds * 1000)
    response.on('close', this.stop)
    this.dispatch()
  }

  private dispatch(): void {
    const { request, fields, admission, dispatcher } = this.options
    const { body } = this.requestBody
    const length = fields.contentLength
    this.sentAt = performance.now()
    if (body !== null && length !== undefined && !(body instanceof Uint8Array))
      admission.fields.push('content-length', String(length))
    this.controller = undefined
    dispatcher.dispatch(
      {
        path: admission.decision.target,
        method: request.method as Dispatcher.HttpMethod,
        headers: admission.fields,
        body: body as Exclude<Dispatcher.DispatchOptions['body'], undefined>,
        headersTimeout: 0,
      },
      this,
    )
  }

  /** Who still waits for a connection is told now: those that have one may keep it for as long as their answers stream. */
  private readonly beLate = (): void => {
    this.isLate = true
    const error = new Error('no answer before the deadline')
    if (this.controller) this.controller.abort(error)
    else this.fail(error)
  }

  /** The client's connection closed, after the whole answer or before. */
  private readonly stop = (): void => {
    clearTimeout(this.deadline)
    if (!this.options.response.writableFinished) this.controller?.abort(new Error('the client left'))
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.controller = controller
    if (this.options.response.closed) controller.abort(new Error('the client left'))
    else if (this.isLate) controller.abort(new Error('refused before'))
  }

  onResponseStart(_controller: Dispatcher.DispatchController, status: number, parsed: ParsedFields): void {
    if (status < 200) return
    clearTimeout(this.deadline)
    const { response, admission, commonFields, onAnswered } = this.options
    onAnswered(admission.decision.route.upstream, (performance.now() - this.sentAt) / 1000)
    const fields = answerFields(toFields(parsed), admission.decision)
    response.writeHead(status, [...fields, ...commonFields()] as unknown as string[])
    this.expectedBytes = Number(parsed['content-length'] ?? Number.NaN)
    // Nobody knows when the first byte of a stream comes: its head goes ahead.
    if (Number.isNaN(this.expectedBytes)) response.flushHeaders()
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    const { response } = this.options
    if (response.writableEnded) return
    this.expectedBytes -= chunk.byteLength
    if (this.expectedBytes === 0) {
      response.end(chunk)
      return
    }
    if (response.write(chunk)) return
    controller.pause()
    response.once('drain', () => controller.resume())
  }

  onResponseEnd(): void {
    const { response } = this.options
    if (!response.writableEnded) response.end()
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    const { request, response } = this.options
    if (this.isRefused) return
    if (response.headersSent) {
      response.destroy()
      return
    }
    // A connection kept too long may be closed by its upstream just as it is used.
    if (isRepeatable(request.method) && !this.isSecondTry && !this.isLate && !response.closed) {
      this.isSecondTry = true
      this.dispatch()
      return
    }
    this.fail(error)
  }

  private fail(error: Error): void {
    if (this.isRefused) return
    this.isRefused = true
    clearTimeout(this.deadline)
    this.options.response.off('close', this.stop)
    this.options.refuse(this.failure(error))
  }

  private failure(cause: Error): unknown {
    if (this.requestBody.exceeded()) return tooLarge(this.options.admission.decision.route.body_bytes)
    if (this.options.response.closed) return new TransportError('client_left', cause)
    return new TransportError(this.isLate ? 'timeout' : 'unreachable', cause)
  }
}

type ParsedFields = Record<string, string | string[] | undefined>

/** Names and values in turn. */
function toFields(parsed: ParsedFields): string[] {
  const fields: string[] = []
  for (const name in parsed) {
    const value = parsed[name]
    if (typeof value === 'string') fields.push(name, value)
    else if (value !== undefined) for (const one of value) fields.push(name, one)
  }
  return fields
}
