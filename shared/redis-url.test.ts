import { describe, expect, test } from 'vitest'
import { readConfig } from './config.ts'
import { parseRedisUrl } from './redis-url.ts'

describe('the forms of REDIS_URL', () => {
  test('one server, with user, password, database and TLS', () => {
    expect(parseRedisUrl('redis://redis')).toMatchObject({
      mode: 'single',
      nodes: [{ host: 'redis', port: 6379 }],
      isTls: false,
      username: undefined,
      password: undefined,
      database: 0,
    })
    expect(parseRedisUrl('rediss://gatehouse:p%40ss%2F@[::1]:6380/7')).toMatchObject({
      mode: 'single',
      nodes: [{ host: '::1', port: 6380 }],
      isTls: true,
      username: 'gatehouse',
      password: 'p@ss/',
      database: 7,
    })
    expect(parseRedisUrl('redis://:secret@redis/')).toMatchObject({ username: undefined, password: 'secret' })
  })

  test.each([
    'redis://u:p@one:7000,two:7001,three',
    'redis://u:p@one:7000,redis://two:7001,redis://three',
    'redis-cluster://u:p@one:7000,two:7001,three/',
    'redis://u:p@one:7000,two:7001,three/0',
  ])('several nodes are a cluster: %s', (url) => {
    expect(parseRedisUrl(url)).toMatchObject({
      mode: 'cluster',
      nodes: [
        { host: 'one', port: 7000 },
        { host: 'two', port: 7001 },
        { host: 'three', port: 6379 },
      ],
      username: 'u',
      password: 'p',
      database: 0,
    })
  })

  test('one address of a cluster, by its scheme', () => {
    expect(parseRedisUrl('rediss-cluster://cfg.example:6379')).toMatchObject({
      mode: 'cluster',
      nodes: [{ host: 'cfg.example', port: 6379 }],
      isTls: true,
    })
  })

  test('Sentinels, the name of their master, their own password, and a database', () => {
    expect(
      parseRedisUrl('redis-sentinel://u:p@one,two:26380/my%20master/3?sentinel_password=x%26y'),
    ).toMatchObject({
      mode: 'sentinel',
      nodes: [
        { host: 'one', port: 26379 },
        { host: 'two', port: 26380 },
      ],
      masterName: 'my master',
      database: 3,
      username: 'u',
      password: 'p',
      sentinelUsername: undefined,
      sentinelPassword: 'x&y',
    })
  })
})

test('TLS with a private authority and a certificate of the client', () => {
  expect(
    parseRedisUrl('rediss://u:p@one,two?ca_file=/etc/ca.pem&cert_file=/etc/c.pem&key_file=/etc/c.key'),
  ).toMatchObject({ isTls: true, caFile: '/etc/ca.pem', certFile: '/etc/c.pem', keyFile: '/etc/c.key' })
})

describe('REDIS_URL is rejected by name, without its password', () => {
  test.each([
    ['valkey://:s3cret@redis', 'must begin with redis://'],
    ['redis+srv://:s3cret@redis', 'must begin with redis://'],
    ['redis-socket:///run/s3cret.sock', 'must begin with redis://'],
    ['redis://:s3cret@one,rediss://two', 'must have one scheme for all nodes: it mixes two'],
    ['redis-cluster://:s3cret@one,redis://two', 'must have one scheme for all nodes: it mixes two'],
    ['redis://:s3cret@', 'must have nodes of the form host:port'],
    ['redis://:s3cret@one,,two', 'must have nodes of the form host:port'],
    ['redis://:s3cret@one two', 'must have nodes of the form host:port'],
    ['redis://:s3cret@one,two@three', 'must have only one @'],
    ['redis://:s3cret@one:0', 'must have ports from 1 to 65535'],
    ['redis://:s3cret@one:99999', 'must have ports from 1 to 65535'],
    ['redis://:s3cret@one,one:6379', 'must name each node once'],
    ['redis://:s3/cret@one', 'must have / as %2F'],
    ['redis://:s3cret%@one', 'must have % as %25'],
    ['redis://s3cret@one', 'must have a password after its user name'],
    ['redis://:s3cret@one/two', 'must have nothing but the number of a database'],
    ['redis://:s3cret@one,two/1', 'must have no database: a Redis Cluster has only number 0'],
    ['redis-sentinel://:s3cret@one,two', 'must have the name of the master as its path'],
    ['redis-sentinel://:s3cret@one/name?master=s3cret', 'must have no other options than sentinel_username'],
    ['redis://:s3cret@one?family=6', 'must have no options'],
    [
      'redis://:s3cret@one?ca_file=s3cret',
      'must have no options: ca_file, cert_file and key_file are for rediss',
    ],
    ['rediss://:s3cret@one?cert_file=s3cret', 'must have cert_file and key_file together'],
    ['rediss://:s3cret@one?ca_file=a&ca_file=b', 'must have no other options than ca_file'],
    ['redis://:s3cret@one#two', 'must have # as %23'],
  ])('%s', (url, reason) => {
    let message = ''
    try {
      readConfig(['REDIS_URL'], { REDIS_URL: url })
    } catch (error) {
      message = (error as Error).message
    }
    expect(message).toContain(`- REDIS_URL: ${reason}`)
    expect(message).not.toContain('s3cret')
    expect(message.split('\n')).toHaveLength(2)
  })
})
