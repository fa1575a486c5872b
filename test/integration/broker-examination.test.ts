import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { examineBrokers } from '../../src/connections/brokers/examination';
import { createAuthority, type Authority, type Certificate } from '../support/certificate';
import { KAFKA, startKafka, type TestKafka } from '../support/kafka';
import { describeWith, program } from '../support/missing-server';
import { startNats } from '../support/nats-server';
import { runAlone } from '../support/program';
import { startRabbit, type TestRabbit } from '../support/rabbit-server';
import { containing, matching } from '../support/texts';

const NOTHING = { natsUrl: null, kafkaUrl: null, rabbitmqUrl: null };

let authority: Authority;
let certificate: Certificate;

beforeAll(() => {
  authority = createAuthority();
  certificate = authority.issue({ names: ['localhost', 'IP:127.0.0.1'] });
});

/** In a process that trusts the authority: which ones it trusts, Node learns when it starts. */
async function examineTrusting(settings: object, folder: string): Promise<unknown> {
  const file = join(folder, 'authority.pem');
  writeFileSync(file, authority.cert);
  const module = join(__dirname, '../../dist/src/connections/brokers/examination.js');
  const code = `require(${JSON.stringify(module)}).examineBrokers(${JSON.stringify(settings)}).then((found) => console.log(JSON.stringify(found)))`;
  const { out, err } = await runAlone(process.execPath, ['-e', code], { cwd: folder, env: { ...process.env, NODE_EXTRA_CA_CERTS: file } });
  if (out === '') throw new Error(err);
  return JSON.parse(out) as unknown;
}

const acknowledges = (who: RegExp, worth: string): object => ({
  check: 'broker',
  state: 'ok',
  message: matching(new RegExp(`${who.source}; an acknowledgement means: .*${worth}`)),
  repair: null,
});

test('where no broker is set, nothing is said', async () => {
  expect(await examineBrokers(NOTHING)).toEqual([]);
});

test('who does not answer is a problem that names the setting', async () => {
  const settings = { natsUrl: 'nats://127.0.0.1:9', kafkaUrl: 'kafka://127.0.0.1:9', rabbitmqUrl: 'amqp://127.0.0.1:9' };
  expect(await examineBrokers(settings)).toEqual(
    ['NATS', 'Kafka', 'RabbitMQ'].map((name) => ({
      check: 'broker',
      state: 'problem',
      message: matching(new RegExp(`${name}: .*ECONNREFUSED`)),
      repair: `a ${name} that answers at ${name.toUpperCase()}_URL`,
    })),
  );
});

describeWith(program('nats-server'), () => {
  test('NATS acknowledges before it writes', async () => {
    const nats = await startNats();
    try {
      expect(await examineBrokers({ ...NOTHING, natsUrl: `nats://${nats.host}` })).toEqual([
        acknowledges(/NATS \d[\d.]+ answers/, 'not yet on disk'),
      ]);
    } finally {
      await nats.close();
    }
  });
});

describeWith(
  KAFKA,
  () => {
    let kafka: TestKafka;
    beforeAll(async () => {
      kafka = await startKafka('', certificate);
    }, 300_000);
    afterAll(() => kafka.close());

    test('it acknowledges what its replicas have in memory', async () => {
      expect(await examineBrokers({ ...NOTHING, kafkaUrl: `kafka://${kafka.host}` })).toEqual([
        acknowledges(/Kafka answers, 1 broker/, 'in memory'),
      ]);
    });

    test('a wrong password is told without it', async () => {
      const found = await examineBrokers({ ...NOTHING, kafkaUrl: `kafka://all:CANARY-wrong@${kafka.users}` });
      expect(found).toMatchObject([{ state: 'problem', message: containing('user and password of KAFKA_URL') }]);
      expect(JSON.stringify(found)).not.toContain('CANARY');
    });

    test('a certificate of an authority that nobody knows here, and one that is known', async () => {
      const settings = { ...NOTHING, kafkaUrl: `kafka+ssl://${kafka.tls}` };
      expect(await examineBrokers(settings)).toMatchObject([{ state: 'problem', message: containing('NODE_EXTRA_CA_CERTS') }]);
      expect(await examineTrusting(settings, kafka.server.folder)).toEqual([
        { check: 'broker', state: 'ok', message: containing('Kafka answers'), repair: null },
      ]);
    });

    test('one that hangs is not waited for', async () => {
      kafka.server.pause();
      try {
        const found = await examineBrokers({ ...NOTHING, kafkaUrl: `kafka://${kafka.host}` });
        expect(found).toMatchObject([{ state: 'problem', message: containing('within 5') }]);
      } finally {
        kafka.server.resume();
      }
    });
  },
  'Kafka',
);

describeWith(
  program('rabbitmq-server'),
  () => {
    let rabbit: TestRabbit;
    beforeAll(async () => {
      rabbit = await startRabbit(certificate);
    }, 120_000);
    afterAll(() => rabbit.close());

    test('it confirms what its queues have', async () => {
      expect(await examineBrokers({ ...NOTHING, rabbitmqUrl: rabbit.url })).toEqual([
        acknowledges(/RabbitMQ 3[\d.]+ answers/, 'quorum queue'),
      ]);
    });

    test('a wrong password is told without it', async () => {
      const found = await examineBrokers({ ...NOTHING, rabbitmqUrl: `amqp://all:CANARY-wrong@${rabbit.host}` });
      expect(found).toMatchObject([{ state: 'problem', message: containing('user and password of RABBITMQ_URL') }]);
      expect(JSON.stringify(found)).not.toContain('CANARY');
    });

    test('a certificate of an authority that nobody knows here, and one that is known', async () => {
      const settings = { ...NOTHING, rabbitmqUrl: `amqps://all:CANARY-all@${rabbit.tls}` };
      expect(await examineBrokers(settings)).toMatchObject([{ state: 'problem', message: containing('NODE_EXTRA_CA_CERTS') }]);
      expect(await examineTrusting(settings, rabbit.server.folder)).toEqual([
        { check: 'broker', state: 'ok', message: containing('RabbitMQ 3'), repair: null },
      ]);
    });
  },
  'RabbitMQ',
);
