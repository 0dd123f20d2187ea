package postcart.bench;

import com.sun.management.OperatingSystemMXBean;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;

/** CPU and wall time from the first record to the commit that comes after the last one. */
final class Stopwatch {
    private static final OperatingSystemMXBean SYSTEM =
        (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    private final AtomicLong left;
    private volatile long cpu, wall;
    private volatile double commits = Double.MAX_VALUE;
    private KafkaStreams streams;

    Stopwatch(long records) {
        left = new AtomicLong(records);
    }

    /** A record is about to be processed; returns whether it is the last. */
    boolean record() {
        if (wall == 0) {
            cpu = SYSTEM.getProcessCpuTime();
            wall = System.nanoTime();
        }
        if (left.decrementAndGet() != 0) return false;
        commits = commits();
        return true;
    }

    void run(Topology topology, StreamsConfig config) throws IOException, InterruptedException {
        streams = new KafkaStreams(topology, config);
        streams.setUncaughtExceptionHandler(error -> {
            error.printStackTrace();
            Runtime.getRuntime().halt(1);
            return null;
        });
        streams.start();
        while (commits() <= commits) Thread.sleep(5);
        System.out.printf("{\"cpu_s\": %.3f, \"wall_s\": %.3f, \"peak_bytes\": %d}%n",
            (SYSTEM.getProcessCpuTime() - cpu) / 1e9, (System.nanoTime() - wall) / 1e9, peak());
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private double commits() {
        return streams.metrics().entrySet().stream()
            .filter(one -> one.getKey().name().equals("commit-total") && one.getKey().group().equals("stream-thread-metrics"))
            .mapToDouble(one -> (Double) one.getValue().metricValue()).sum();
    }

    private static long peak() throws IOException {
        for (String line : Files.readAllLines(Path.of("/proc/self/status")))
            if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("\\D", "")) * 1024;
        return 0;
    }
}
