// Oracle prints the images that Kubernetes' own readers see in YAML or JSON.
//
// It reads its input twice: as kubectl and Helm decode it (k8s.io/apimachinery, which uses yaml.v2),
// and with yaml.v3, which kustomize uses. Each image of a pod spec is one line of JSON on stdout, and
// so is the error that ends a reading.
//
//	oracle           one text on stdin
//	oracle -frames   many texts on stdin; before each a line with its length in bytes, and after the
//	                 lines for each text an empty line
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	kjson "k8s.io/apimachinery/pkg/util/json"
	kyaml "k8s.io/apimachinery/pkg/util/yaml"
)

// line is one line of the output: an image, or the error that ended the reading of a text.
type line struct {
	Reader   string `json:"reader"`
	Document int    `json:"document"`
	Path     string `json:"path,omitempty"`
	Image    string `json:"image,omitempty"`
	Error    string `json:"error,omitempty"`
}

func main() {
	frames := flag.Bool("frames", false, "read many texts, each after a line with its length")
	flag.Parse()
	if err := run(*frames, bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, "oracle:", err)
		os.Exit(1)
	}
}

func run(frames bool, in *bufio.Reader, out *bufio.Writer) error {
	if !frames {
		text, err := io.ReadAll(in)
		if err != nil {
			return err
		}
		if err := write(out, text); err != nil {
			return err
		}
		return out.Flush()
	}
	for {
		text, err := frame(in)
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		if err := write(out, text); err != nil {
			return err
		}
		if err := out.WriteByte('\n'); err != nil {
			return err
		}
		if err := out.Flush(); err != nil {
			return err
		}
	}
}

// frame reads one text after the line with its length.
func frame(in *bufio.Reader) ([]byte, error) {
	var length int
	header, err := in.ReadString('\n')
	if err != nil {
		return nil, err
	}
	if _, err := fmt.Sscanf(header, "%d\n", &length); err != nil {
		return nil, fmt.Errorf("no length: %q", header)
	}
	text := make([]byte, length)
	_, err = io.ReadFull(in, text)
	return text, err
}

// write prints what both readers see in a text.
func write(out io.Writer, text []byte) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, reader := range []struct {
		name      string
		documents func([]byte) ([]any, error)
	}{{"kubectl", documentsOfKubectl}, {"yaml.v3", documentsOfYAML3}} {
		read, failure := reader.documents(text)
		for n, document := range read {
			for _, image := range images(document) {
				image.Reader, image.Document = reader.name, n+1
				if err := encoder.Encode(image); err != nil {
					return err
				}
			}
		}
		if failure != nil {
			failed := line{Reader: reader.name, Document: len(read) + 1, Error: failure.Error()}
			if err := encoder.Encode(failed); err != nil {
				return err
			}
		}
	}
	return nil
}

// documentsOfKubectl reads as the visitors of kubectl do (k8s.io/cli-runtime, StreamVisitor).
func documentsOfKubectl(text []byte) (read []any, failure error) {
	decoder := kyaml.NewYAMLOrJSONDecoder(bytes.NewReader(text), 4096)
	for {
		raw := runtime.RawExtension{}
		if err := decoder.Decode(&raw); err != nil {
			if errors.Is(err, io.EOF) {
				return read, nil
			}
			return read, err
		}
		raw.Raw = bytes.TrimSpace(raw.Raw)
		document, err := objectOfKubectl(raw.Raw)
		if err != nil {
			return read, err
		}
		read = append(read, document)
	}
}

// objectOfKubectl decodes an object or a list of objects. kubectl refuses what has no kind; it is read
// here nevertheless.
func objectOfKubectl(raw []byte) (any, error) {
	if len(raw) == 0 {
		return nil, nil
	}
	decoded, _, err := unstructured.UnstructuredJSONScheme.Decode(raw, nil, nil)
	if err != nil {
		var document any
		err := kjson.Unmarshal(raw, &document)
		return document, err
	}
	switch decoded := decoded.(type) {
	case *unstructured.UnstructuredList:
		items := make([]any, len(decoded.Items))
		for n, item := range decoded.Items {
			items[n] = item.Object
		}
		return map[string]any{"kind": "List", "items": items}, nil
	case *unstructured.Unstructured:
		return decoded.Object, nil
	}
	return nil, fmt.Errorf("%T is no object", decoded)
}

// separator is what kustomize and Helm 4 split a stream at (kyaml, splitDocuments).
var separator = regexp.MustCompile(`\n---.*\n`)

// documentsOfYAML3 reads with yaml.v3, one document after the other, as kustomize and Helm 4 do. A
// document that can't be decoded, because of duplicate keys for example, does not end the stream.
func documentsOfYAML3(text []byte) (read []any, failure error) {
	// yaml.v3 panics on some texts that are no YAML.
	defer func() {
		if reason := recover(); reason != nil {
			failure = fmt.Errorf("panic: %v", reason)
		}
	}()
	for _, part := range separator.Split(strings.ReplaceAll(string(text), "\r\n", "\n"), -1) {
		var document any
		err := yaml.NewDecoder(strings.NewReader(part + "\n")).Decode(&document)
		var wrong *yaml.TypeError
		switch {
		case errors.Is(err, io.EOF):
		case errors.As(err, &wrong):
			document = nil
		case err != nil:
			return read, err
		}
		read = append(read, document)
	}
	return read, nil
}

// images lists the images of all pod specs in a document.
func images(document any) []line {
	var found []line
	object(document, "", &found)
	return found
}

// object adds the images of a Kubernetes object. Left out are the objects and fields that no cluster
// runs: definitions, status, the kinds of kpt, and patterns of policies.
func object(value any, path string, found *[]line) {
	fields, ok := mapping(value)
	if !ok {
		return
	}
	items, isList := fields["items"].([]any)
	for n, item := range items {
		object(item, fmt.Sprintf("%s.items[%d]", path, n), found)
	}
	kind, _ := fields["kind"].(string)
	version, _ := fields["apiVersion"].(string)
	group, _, _ := strings.Cut(version, "/")
	if kind == "ResourceList" || kind == "CustomResourceDefinition" || in(group, "kpt.dev") {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		value := fields[key]
		if key == "status" || isList && key == "items" || in(group, "kyverno.io") && key == "validate" {
			continue
		}
		walk(value, path+"."+key, in(group, "kyverno.io"), found)
	}
	podSpec(fields, path, in(group, "kyverno.io"), found)
}

// in tells if a group is the domain or below it.
func in(group, domain string) bool {
	return group == domain || strings.HasSuffix(group, "."+domain)
}

func walk(value any, path string, patterns bool, found *[]line) {
	if list, ok := value.([]any); ok {
		for n, item := range list {
			walk(item, fmt.Sprintf("%s[%d]", path, n), patterns, found)
		}
		return
	}
	fields, ok := mapping(value)
	if !ok {
		return
	}
	podSpec(fields, path, patterns, found)
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		value := fields[key]
		if !patterns || key != "validate" {
			walk(value, path+"."+key, patterns, found)
		}
	}
}

// podSpec adds the images of a mapping if it has a list of containers.
func podSpec(fields map[string]any, path string, patterns bool, found *[]line) {
	isPodSpec := false
	for _, key := range []string{"containers", "initContainers", "ephemeralContainers"} {
		list, ok := fields[key].([]any)
		isPodSpec = isPodSpec || ok
		for n, item := range list {
			container, _ := mapping(item)
			add(container["image"], fmt.Sprintf("%s.%s[%d].image", path, key, n), patterns, found)
		}
	}
	if !isPodSpec {
		return
	}
	volumes, _ := fields["volumes"].([]any)
	for n, item := range volumes {
		volume, _ := mapping(item)
		image, _ := mapping(volume["image"])
		add(image["reference"], fmt.Sprintf("%s.volumes[%d].image.reference", path, n), patterns, found)
	}
}

func add(value any, path string, patterns bool, found *[]line) {
	image, ok := value.(string)
	if !ok || strings.TrimSpace(image) == "" || patterns && strings.ContainsAny(image, "*?!|&<>") {
		return
	}
	*found = append(*found, line{Path: strings.TrimPrefix(path, "."), Image: image})
}

// mapping gives a mapping the keys of JSON. yaml.v3 makes another type of it if a key is no text.
func mapping(value any) (map[string]any, bool) {
	switch value := value.(type) {
	case map[string]any:
		return value, true
	case map[any]any:
		fields := make(map[string]any, len(value))
		for key, value := range value {
			fields[fmt.Sprint(key)] = value
		}
		return fields, true
	}
	return nil, false
}
