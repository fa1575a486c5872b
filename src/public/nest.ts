// The service as a module of another Nest application.
import 'reflect-metadata';

export { Observers, ObserversModule, type AsyncObserversOptions, type ObserversOptions } from '../lifecycle/observers.module';
