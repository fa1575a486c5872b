import { ChangeLog0001 } from './0001-change-log';
import { ChangeLogIndexes0002 } from './0002-change-log-indexes';
import { Ledger0003 } from './0003-ledger';
import { Capture0004 } from './0004-capture';
import { Policies0005 } from './0005-policies';
import { Redrive0006 } from './0006-redrive';
import { GoneEndpoints0007 } from './0007-gone-endpoints';
import { ConfigPeriods0008 } from './0008-config-periods';
import { PausedObservers0009 } from './0009-paused-observers';
import { CheckpointResets0012 } from './0012-checkpoint-resets';
import { BackgroundAudit0014 } from './0014-background-audit';
import { LeanCapture0015 } from './0015-lean-capture';
import { CaptureFunctions0016 } from './0016-capture-functions';
import { CaptureDrift0017 } from './0017-capture-drift';
import { ForcedChanges0020 } from './0020-forced-changes';
import { AttemptPartitions0021 } from './0021-attempt-partitions';
import { Backfill0022 } from './0022-backfill';
import { Encodings0023 } from './0023-encodings';
import { Timers0024 } from './0024-timers';
import { Appointments0025 } from './0025-appointments';
import { ItemSets0026 } from './0026-item-sets';
import { Operations0027 } from './0027-operations';
import { Parties0028 } from './0028-parties';
import { AdvertisedUrl0029 } from './0029-advertised-url';
import { SignsOfLife0030 } from './0030-signs-of-life';
import { ScheduledDeliveries0031 } from './0031-scheduled-deliveries';
import { WhatCapturesCall0037 } from './0037-what-captures-call';
import { SearchFeed0038 } from './0038-search-feed';
import { RedisState0040 } from './0040-redis-state';
import { Retention0041 } from './0041-retention';
import { VersionLoads0042 } from './0042-version-loads';

/**
 * In the order in which they run. 0010, 0011, 0013, 0018, 0019, 0032 to 0036 and 0039 are missing: numbers were given out to work that went on side by side, and
 * some of it needed none.
 */
export const MIGRATIONS = [
  ChangeLog0001,
  ChangeLogIndexes0002,
  Ledger0003,
  Capture0004,
  Policies0005,
  Redrive0006,
  GoneEndpoints0007,
  ConfigPeriods0008,
  PausedObservers0009,
  CheckpointResets0012,
  BackgroundAudit0014,
  LeanCapture0015,
  CaptureFunctions0016,
  CaptureDrift0017,
  ForcedChanges0020,
  AttemptPartitions0021,
  Backfill0022,
  Encodings0023,
  Timers0024,
  Appointments0025,
  ItemSets0026,
  Operations0027,
  Parties0028,
  AdvertisedUrl0029,
  SignsOfLife0030,
  ScheduledDeliveries0031,
  WhatCapturesCall0037,
  SearchFeed0038,
  RedisState0040,
  Retention0041,
  VersionLoads0042,
];
