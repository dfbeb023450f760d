package release;

import java.io.IOException;
import java.io.InputStream;
import java.io.Reader;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Properties;

/**
 * What runs here: the build's own facts, and those of the instance that a deployment hook wrote down.
 * A fact that nobody wrote is "unknown", as on a developer's machine.
 */
public record Release(
        String version, String commit, String image, String instance, String zone, String deployment) {

    /** Written by scripts/facts.sh before Tomcat starts. */
    static final Path INSTANCE_FACTS = Path.of("/etc/release-page/instance.properties");

    private static final String UNKNOWN = "unknown";

    static Release read(Path instanceFacts) {
        Properties build = resource("build.properties");
        Properties instance = file(instanceFacts);
        return new Release(
                build.getProperty("version", UNKNOWN),
                build.getProperty("commit", UNKNOWN),
                instance.getProperty("image", UNKNOWN),
                instance.getProperty("instance", UNKNOWN),
                instance.getProperty("zone", UNKNOWN),
                instance.getProperty("deployment", UNKNOWN));
    }

    Map<String, String> facts() {
        Map<String, String> facts = new LinkedHashMap<>();
        facts.put("version", version);
        facts.put("commit", commit);
        facts.put("image", image);
        facts.put("instance", instance);
        facts.put("zone", zone);
        facts.put("deployment", deployment);
        return facts;
    }

    static Properties resource(String name) {
        try (InputStream stream = Release.class.getResourceAsStream("/" + name)) {
            if (stream == null) {
                throw new IllegalStateException(name + " is not in the application");
            }
            Properties properties = new Properties();
            properties.load(stream);
            return properties;
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
    }

    private static Properties file(Path path) {
        Properties properties = new Properties();
        try (Reader reader = Files.newBufferedReader(path)) {
            properties.load(reader);
        } catch (NoSuchFileException nobodyWroteIt) {
            return properties;
        } catch (IOException problem) {
            throw new UncheckedIOException(problem);
        }
        return properties;
    }
}
