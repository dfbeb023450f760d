package release;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReleaseTest {

    @TempDir
    Path folder;

    @Test
    void factsOfTheInstanceComeFromTheFileTheHookWrote() throws IOException {
        Path facts = folder.resolve("instance.properties");
        Files.writeString(facts, "image=ami-1\ninstance=i-2\nzone=us-east-1a\ndeployment=d-3\n");

        Release release = Release.read(facts);

        assertEquals("ami-1", release.image());
        assertEquals("i-2", release.instance());
        assertEquals("us-east-1a", release.zone());
        assertEquals("d-3", release.deployment());
    }

    @Test
    void whereNoHookRanTheFactsAreUnknown() {
        assertEquals("unknown", Release.read(folder.resolve("nothing")).image());
    }

    @Test
    void mavenFillsInVersionAndCommit() {
        Release release = Release.read(folder.resolve("nothing"));

        assertFalse(release.version().contains("$"), release.version());
        assertFalse(release.commit().contains("$"), release.commit());
        assertFalse(release.commit().isBlank());
    }
}
